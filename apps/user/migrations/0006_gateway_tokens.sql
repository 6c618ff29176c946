CREATE TABLE "user"."gateway_token" (
	"one_row" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"start_time" timestamp with time zone NOT NULL,
	CONSTRAINT "gateway_token_one_row" CHECK (one_row)
);
--> statement-breakpoint
-- Accounts that exist mean that services of version 0.1.0 may run beside those that migrate: they have a day to be exchanged.
INSERT INTO "user"."gateway_token" ("start_time")
SELECT CASE WHEN EXISTS (SELECT FROM "user"."account") THEN now() + interval '1 day' ELSE now() END;
