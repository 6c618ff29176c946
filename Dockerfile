# One image a service: docker build --build-arg SERVICE=order -t rialto/order .
# SERVICE is a folder of apps/: gateway, user, product, order, payment, notification.
FROM node:24-bookworm-slim AS installed
WORKDIR /rialto
COPY . .
# The image brings its own Node. No container starts a Postgres inside itself: .dockerignore leaves out that package, and so npm its binaries.
RUN npm ci --omit=dev --ignore-scripts \
 && rm -rf node_modules/node-linux-* node_modules/.bin/node /root/.npm

FROM node:24-bookworm-slim
WORKDIR /rialto
COPY --from=installed /rialto /rialto
# Where developers' containers share the keys that they make. In production keys come from the environment and nothing is written.
RUN mkdir /data && chown node:node /data
ARG SERVICE
# A container is production unless it is told otherwise: nothing is made up, and it listens on all its addresses.
ENV NODE_ENV=production SERVICE=$SERVICE PORT=8080 RIALTO_DATA_DIR=/data
EXPOSE 8080
USER node
# A container is healthy when it takes work: a service when its subscriptions are registered and its database answers, the gateway when it has heard
# so of each service. Services may wait for each other's registration, so none may depend on another's health; the gateway may on all of theirs.
# On a busy machine the first start takes more than a minute: until the start period is over, no answer counts as a failure.
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=5 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# exec: the service is process 1 and gets SIGTERM itself.
CMD ["sh", "-c", "exec node apps/$SERVICE/src/main.ts"]
