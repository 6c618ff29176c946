import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from "jose";
import { createPersonTokens, createServiceTokens, createTokenVerifier } from "../src/index.ts";

/** A key pair under a name, as the configuration would hold it. */
export async function keyPair(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  return {
    kid,
    private: { ...(await exportJWK(privateKey)), kid },
    public: { ...(await exportJWK(publicKey)), kid, alg: "EdDSA", use: "sig" },
  };
}

/** A customer, an admin and two services, with all that can be wrong with what they show. */
export async function createPeople() {
  const [access, stranger, order, notification, gateway] = await Promise.all(
    ["access-1", "access-1", "order", "notification", "gateway"].map(keyPair),
  );
  if (!access || !stranger || !order || !notification || !gateway) throw new Error("keys are missing");
  const verifier = createTokenVerifier({
    accessKeys: async () => ({ keys: [access.public] }),
    serviceKeys: { keys: [order.public, notification.public, gateway.public] },
  });
  const seconds = (fromNow: number) => Math.floor(Date.now() / 1000) + fromNow;
  const claims = (o: JWTPayload = {}): JWTPayload => ({
    iss: "rialto",
    aud: "rialto",
    sub: "0197f000-0000-7000-8000-000000000001",
    sid: "session-1",
    role: "CUSTOMER",
    iat: seconds(0),
    exp: seconds(900),
    ...o,
  });
  const sign = async (key: JWK, payload: JWTPayload, kid = "access-1") =>
    new SignJWT(payload).setProtectedHeader({ alg: "EdDSA", kid }).sign(await importJWK(key, "EdDSA"));
  const { exp: _exp, ...withoutExpiry } = claims();
  const { iat: _iat, ...withoutIssueTime } = claims();
  const unsigned = (header: object, payload: JWTPayload) =>
    `${[header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;

  const gatewayTokens = createServiceTokens({ name: "gateway", privateKey: gateway.private });
  return {
    access,
    /** What the gateway shows to "order", signed already. */
    gatewayAtOrder: await gatewayTokens.for("order"),
    gatewayKey: gateway.public,
    verifier,
    order: createServiceTokens({ name: "order", privateKey: order.private }),
    notification: createServiceTokens({ name: "notification", privateKey: notification.private }),
    gateway: gatewayTokens,
    persons: createPersonTokens({ name: "gateway", privateKey: gateway.private }),
    customer: await sign(access.private, claims()),
    otherCustomer: await sign(access.private, claims({ sub: "0197f000-0000-7000-8000-000000000002" })),
    admin: await sign(access.private, claims({ role: "ADMIN", sub: "0197f000-0000-7000-8000-00000000000a" })),
    bad: {
      forged: await sign(stranger.private, claims()),
      expired: await sign(access.private, claims({ iat: seconds(-960), exp: seconds(-60) })),
      "for another audience": await sign(access.private, claims({ aud: "elsewhere" })),
      "of another issuer": await sign(access.private, claims({ iss: "elsewhere" })),
      "of an unknown role": await sign(access.private, claims({ role: "OWNER" })),
      "without a session": await sign(access.private, claims({ sid: 0 })),
      "without an expiry": await sign(access.private, withoutExpiry),
      "without the time of its issue": await sign(access.private, withoutIssueTime),
      "that lives for a day": await sign(access.private, claims({ exp: seconds(86_400) })),
      "with alg none": unsigned({ alg: "none", kid: "access-1" }, claims()),
      "with HS256 under the public key": await new SignJWT(claims())
        .setProtectedHeader({ alg: "HS256", kid: "access-1" })
        .sign(Buffer.from(JSON.stringify(access.public))),
      "with HS256 under the public key's bytes": await new SignJWT(claims())
        .setProtectedHeader({ alg: "HS256", kid: "access-1" })
        .sign(Buffer.from(access.public.x ?? "", "base64url")),
      "that is no token": "not.a.token",
    },
    badService: {
      "for another service": await createServiceTokens({ name: "order", privateKey: order.private }).for("payment"),
      "of another service's key": await new SignJWT({
        iss: "order",
        sub: "order",
        aud: "order",
        iat: seconds(0),
        exp: seconds(60),
      })
        .setProtectedHeader({ alg: "EdDSA", kid: "notification" })
        .sign(await importJWK(notification.private, "EdDSA")),
      "that expired": await sign(
        order.private,
        { iss: "order", sub: "order", aud: "order", iat: seconds(-120), exp: seconds(-60) },
        "order",
      ),
      "that lives for a day": await sign(
        order.private,
        { iss: "order", sub: "order", aud: "order", iat: seconds(0), exp: seconds(86_400) },
        "order",
      ),
      "that a customer made of an access token": await sign(access.private, claims()),
    },
  };
}

export type People = Awaited<ReturnType<typeof createPeople>>;
