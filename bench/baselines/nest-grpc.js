// NestJS on gRPC, as its documentation shows it. Without a compiler for decorators, they are called as functions.

import "reflect-metadata";
import { Controller } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { GrpcMethod, RpcException, Transport } from "@nestjs/microservices";
import { isOrderId, orderJson, port } from "./order.js";
import { loaderOptions, protoFile } from "./proto-files.js";

class OrderController {
  getOrder({ id }) {
    if (!isOrderId(id)) throw new RpcException({ code: 3, message: "id must be a UUID" });
    return orderJson(id);
  }
}
Controller()(OrderController);
const { prototype } = OrderController;
GrpcMethod("OrderService", "GetOrder")(prototype, "getOrder", Object.getOwnPropertyDescriptor(prototype, "getOrder"));

class AppModule {}
Reflect.defineMetadata("controllers", [OrderController], AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  transport: Transport.GRPC,
  logger: ["warn", "error"],
  options: {
    package: "rialto.order.v1",
    protoPath: protoFile,
    loader: loaderOptions,
    url: `127.0.0.1:${port}`,
  },
});
await app.listen();
