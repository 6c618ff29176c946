import { brotliCompressSync, gzipSync } from "node:zlib";
import { type Draft, type Pick, service } from "./request-draft.ts";
import { enveloped } from "./wire.ts";

type Change = readonly [name: string, change: (draft: Draft, pick: Pick) => void];

export const changes: readonly [Change, ...Change[]] = [
  [
    "another HTTP method",
    (draft, pick) => {
      draft.method = pick.of(["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST"]);
    },
  ],
  [
    "another path",
    (draft, pick) => {
      const { path } = draft;
      draft.path = pick.of([
        `${path}/`,
        `/${path}`,
        path.toLowerCase(),
        path.replace("P", "%50"),
        `${service}/Nothing`,
        `${service}/ListProducts`,
        "/",
        `/api${path}`,
        `${path};a=b`,
        path.replace("/rialto", "/./rialto"),
        "/rialto.product.v1.ProductService",
      ]);
    },
  ],
  ["a query", ({ query }, pick) => void query.push(["a", pick.of(["", "1", "%", "%C3%A4", "a=b"])])],
  [
    "another content type",
    ({ headers }, pick) => {
      const type = pick.of([
        "application/json",
        "application/proto",
        "application/json; charset=utf-8",
        "application/json;charset=utf-16",
        "application/json;",
        "Application/JSON",
        " application/json ",
        "application/x-protobuf",
        "application/connect+json",
        "application/connect+proto",
        "application/grpc",
        "application/grpc+json",
        "application/grpc+json; charset=utf-8",
        "application/grpc+thrift",
        "application/grpc-web",
        "application/grpc-web+json",
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
        "application/GRPC",
        "text/plain",
        "json",
        "",
      ]);
      replace(headers, "content-type", type);
    },
  ],
  [
    "no content type",
    (draft) => {
      draft.headers = draft.headers.filter(([name]) => name !== "content-type");
    },
  ],
  [
    "a request encoding",
    ({ headers }, pick) => {
      const encoding = pick.of(["gzip", "br", "identity", "GZIP", "zip", "", "gzip, br", "deflate", " gzip"]);
      headers.push([pick.of(["content-encoding", "grpc-encoding", "connect-content-encoding"]), encoding]);
    },
  ],
  [
    "a compressed message",
    (draft, pick) => {
      const encoding = pick.of(["gzip", "br"]);
      const compress = encoding === "gzip" ? gzipSync : brotliCompressSync;
      draft.message = compress(draft.message);
      if (pick.chance(0.2)) draft.message = draft.message.subarray(0, draft.message.length - 3);
      if (draft.flags !== undefined) draft.flags |= 1;
      if (draft.method === "GET") {
        draft.query = draft.query.filter(([name]) => name !== "message" && name !== "base64");
        draft.query.push(["base64", "1"], ["compression", encoding], ["message", draft.message.toString("base64url")]);
      } else draft.headers.push([draft.flags === undefined ? "content-encoding" : "grpc-encoding", encoding]);
    },
  ],
  [
    "an accepted encoding",
    ({ headers }, pick) => {
      const encoding = pick.of(["gzip", "br", "br, gzip", "zip, gzip", "gzip;q=0", "*", "identity", "", "GZIP", "zip"]);
      headers.push([pick.of(["accept-encoding", "grpc-accept-encoding", "connect-accept-encoding"]), encoding]);
    },
  ],
  [
    "a version of the protocol",
    ({ headers }, pick) => void headers.push(["connect-protocol-version", pick.of(["1", "2", "", "v1", "1, 1"])]),
  ],
  [
    "a timeout",
    ({ headers }, pick) => {
      const connect = ["60000", "0", "-1", "5s", "", "9999999999", "99999999999", "1e5", " 60000", "0x10", "60001"];
      const grpc = ["60S", "1H", "2M", "99999999S", "100000000S", "5", "S5", "60 S", "0S", "0n", "-1S", "60s", ""];
      const [first = "", ...rest] = pick.chance(0.5) ? connect : grpc;
      headers.push([pick.of(["connect-timeout-ms", "grpc-timeout"]), pick.of([first, ...rest])]);
    },
  ],
  [
    "another parameter of the query",
    (draft, pick) => {
      const [name, ...values] = pick.of([
        ["connect", "v1", "v2", "1", ""],
        ["encoding", "json", "proto", "xml", "", "JSON"],
        ["base64", "0", "1", "true", ""],
        ["compression", "gzip", "br", "identity", "zip", ""],
        ["message", "", "{}", "%7B%7D", "%", "Cg==", "CgEx", "Cg-_", "a+b", "*", "%00", "%FF"],
      ]);
      const value = values[pick.below(values.length)] ?? "";
      if (pick.chance(0.6)) draft.query = draft.query.filter((pair) => pair[0] !== name);
      if (pick.chance(0.9)) draft.query.push([name ?? "", value]);
    },
  ],
  ["a query in another order", ({ query }) => void query.reverse()],
  [
    "other flags",
    (draft, pick) => {
      draft.flags = pick.of([0, 1, 2, 3, 4, 64, 128, 129, 255]);
    },
  ],
  [
    "no envelope",
    (draft) => {
      draft.flags = undefined;
    },
  ],
  [
    "more behind the message",
    (draft, pick) => {
      draft.behind = pick.of([
        Buffer.from([0]),
        Buffer.from(" \n"),
        enveloped(draft.message),
        enveloped(""),
        enveloped("a: b\r\n", 128),
        enveloped("{}", 2),
        enveloped(draft.message).subarray(0, 6),
        enveloped(Buffer.from([0xff, 0xff])),
        Buffer.from([0, 0xff, 0xff, 0xff, 0xff]),
      ]);
    },
  ],
  [
    "a body that is cut",
    (draft, pick) => {
      draft.cutBytes = 1 + pick.below(12);
    },
  ],
  [
    "a connection that is cut",
    (draft, pick) => {
      draft.missingBytes = 1 + pick.below(100);
    },
  ],
  [
    "an empty message",
    (draft) => {
      draft.message = Buffer.alloc(0);
    },
  ],
  [
    "a large message",
    (draft, pick) => {
      draft.message = Buffer.alloc(pick.of([9_000, 9_995, 10_001, 30_000, 300_000]), " ");
    },
  ],
  [
    "a large message, compressed",
    (draft) => {
      draft.message = gzipSync(Buffer.alloc(20_000, " "));
      if (draft.flags !== undefined) draft.flags = 1;
      draft.headers.push([draft.flags === undefined ? "content-encoding" : "grpc-encoding", "gzip"]);
    },
  ],
  [
    "JSON of another form",
    (draft, pick) => {
      draft.message = Buffer.from(
        pick.of([
          '{"id":1}',
          '{"id":null}',
          '{"id":["1"]}',
          '{"other":{"a":[1]}}',
          '{"id":"1","id":"2"}',
          '{"id":"1",}',
          "[]",
          "null",
          "1",
          '"id"',
          " {} ",
          "{} {}",
          "\ufeff{}",
          "{'id':'1'}",
          '{"id":"\\ud800"}',
          '{"product":{"price":{"minorUnits":"12"}}}',
          '{"product":{"price":{"minorUnits":1.5}}}',
          '{"product":{"active":"true"}}',
          `${"[".repeat(400)}${"]".repeat(400)}`,
          `${'{"product":'.repeat(150)}{}${"}".repeat(150)}`,
          '{"__proto__":{"id":"1"}}',
        ]),
      );
    },
  ],
  [
    "bytes of another form",
    (draft, pick) => {
      draft.message = Buffer.from(
        pick.of([
          "ff",
          "0a",
          "0a05",
          "0a0131",
          "0a0131" + "120161",
          "0a0131" + "0a0132",
          "0801",
          "0b0c",
          "0f",
          "0a02c328",
          "0a03eda080",
          "ffffffffffffffffffff01",
          "0aff",
          "fa0f0131",
          "0a80808080808080808001",
          "00",
        ]),
        "hex",
      );
    },
  ],
  [
    "one bit that is wrong",
    (draft, pick) => {
      const { message } = draft;
      if (message.length === 0) return;
      const at = pick.below(message.length);
      const changed = Buffer.from(message);
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << pick.below(8)), at);
      draft.message = changed;
    },
  ],
  [
    "a header twice",
    ({ headers }, pick) => {
      const [first, ...rest] = headers;
      if (first === undefined) return void headers.push(["x-caller", "a"], ["x-caller", "b"]);
      const [name, value] = pick.of([first, ...rest]);
      headers.push([name, pick.chance(0.5) ? value : pick.of(["", "gzip", "application/proto", "1", "5S"])]);
    },
  ],
  [
    "more headers",
    ({ headers }, pick) => {
      headers.push(
        ...pick.of<[string, string][]>([
          [
            ["x-caller", "a"],
            ["X-Caller", "b"],
          ],
          [
            ["cookie", "a=1"],
            ["cookie", "b=2"],
          ],
          [["x-bytes-bin", "AAE="]],
          [["x-bytes-bin", "*"]],
          [["x-text", "\u00e4"]],
          [["x-empty", ""]],
          [["x-long", "l".repeat(2_000)]],
          [
            ["user-agent", "test"],
            ["accept", "*/*"],
          ],
          [["expect", "100-continue"]],
          [
            ["x-http-method-override", "GET"],
            ["origin", "http://elsewhere"],
          ],
          [
            ["grpc-status", "3"],
            ["trailer-x", "1"],
          ],
          [
            ["constructor", "1"],
            ["__proto__", "2"],
          ],
        ]),
      );
    },
  ],
];

function replace(headers: Draft["headers"], name: string, value: string): void {
  const at = headers.findIndex((header) => header[0] === name);
  headers.splice(at === -1 ? 0 : at, at === -1 ? 0 : 1, [name, value]);
}
