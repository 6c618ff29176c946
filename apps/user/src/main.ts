import { runProcess } from "@rialto/service";
import { user } from "./service.ts";

await runProcess(user);
