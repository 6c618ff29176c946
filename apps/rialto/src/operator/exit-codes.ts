import { Code, ConnectError } from "@connectrpc/connect";

/**
 * The exit codes of `npm run rialto`, for scripts. 1 is left for a defect of the command itself, as Node ends with it.
 */
export const exitCodes = {
  /** The arguments, the request or the method are wrong: nothing was sent. */
  usage: 2,
  /** There is no session, or it has ended. */
  notLoggedIn: 3,
  /** The service refused the call, and would refuse it again. */
  refused: 4,
  /** Nothing answered in time, or it asked for patience: the same call may succeed later. */
  tryAgain: 5,
  /** The service failed, or its answer could not be read. */
  failed: 6,
} as const;

/** A failure whose message is written for who called the command. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Returns the exit code of a call's error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandFailure) return error.exitCode;
  if (!(error instanceof ConnectError)) return 1;
  switch (error.code) {
    case Code.Unauthenticated:
      return exitCodes.notLoggedIn;
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.Aborted:
    case Code.DeadlineExceeded:
      return exitCodes.tryAgain;
    case Code.Canceled:
    case Code.Unknown:
    case Code.Internal:
    case Code.DataLoss:
      return exitCodes.failed;
    default:
      return exitCodes.refused;
  }
}
