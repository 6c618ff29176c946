import { runProcess } from "@rialto/service";
import { payment } from "./service.ts";

await runProcess(payment);
