// The standard services of gRPC. They have an entry point of their own, because v1alpha of reflection has the names of
// v1.
export * as health from "../gen/grpc/health/v1/health_pb.js";
export * as reflection from "../gen/grpc/reflection/v1/reflection_pb.js";
export * as reflectionAlpha from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
