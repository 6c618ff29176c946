// The message of every RPC row, as JSON, and what any server checks of its request. The same order is answered by
// programs/order-answer.ts.

export const port = Number(process.argv[2]);
export const bodyBytesMax = 128 * 1024;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isOrderId(id) {
  return typeof id === "string" && uuid.test(id);
}

export function orderJson(id) {
  return {
    order: {
      id,
      userId: "0197f000-0000-7000-8000-000000000001",
      status: "CONFIRMED",
      total: { currencyCode: "EUR", minorUnits: "4250" },
      version: 3,
    },
  };
}

// The same for protobuf-es.
export function orderMessage(id) {
  return {
    order: {
      id,
      userId: "0197f000-0000-7000-8000-000000000001",
      status: 3,
      total: { currencyCode: "EUR", minorUnits: 4250n },
      version: 3,
    },
  };
}
