import { runProcess } from "@rialto/service";
import { product } from "./service.ts";

await runProcess(product);
