// grpc-js as its documentation shows it: the contract loaded at run time, one unary method.

import { loadPackageDefinition, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { isOrderId, orderJson, port } from "./order.js";
import { loaderOptions, protoFile } from "./proto-files.js";

const { OrderService } = loadPackageDefinition(loadSync(protoFile, loaderOptions)).rialto.order.v1;

const server = new Server();
server.addService(OrderService.service, {
  getOrder({ request }, callback) {
    if (isOrderId(request.id)) callback(null, orderJson(request.id));
    else callback({ code: status.INVALID_ARGUMENT, details: "id must be a UUID" });
  },
});
server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
