// The public port: checks the token, and proxies to the service of the path.

import { Agent } from "node:http";
import { createProxyMiddleware } from "http-proxy-middleware";
import { createApp, listen, requireCustomer, urls } from "./common.js";

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const proxyTo = (target) => createProxyMiddleware({ target, agent, changeOrigin: true });

const app = createApp();
// Mounted at the root, since a mounted proxy would see a path without its beginning.
const orders = proxyTo(urls.orders);
const products = proxyTo(urls.products);
app.use((request, response, next) => {
  if (request.path.startsWith("/api/products")) return products(request, response, next);
  if (!request.path.startsWith("/api/orders")) return response.status(404).json({ message: "no such path" });
  return requireCustomer(request, response, () => orders(request, response, next));
});
listen(app);
