// npm 10, which comes with Node 20 and 22, takes node_modules/.bin/node away again when it drops the packages of other
// platforms, which have a bin of that name as well. Part of `npm ci`: puts it back, so that every npm script runs on
// the Node that we brought.
import { existsSync, symlinkSync } from "node:fs";

const target = `../node-${process.platform}-${process.arch}/bin/node`;
const link = new URL("../node_modules/.bin/node", import.meta.url);
if (process.platform !== "win32" && !existsSync(link) && existsSync(new URL(target, link))) symlinkSync(target, link);
