CREATE TABLE "user"."password_reset" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"token_hash" "bytea",
	"create_time" timestamp with time zone NOT NULL,
	"expire_time" timestamp with time zone NOT NULL,
	"use_time" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "user"."session" DROP CONSTRAINT "session_end";--> statement-breakpoint
DROP INDEX "user"."session_ended";--> statement-breakpoint
ALTER TABLE "user"."account" ADD COLUMN "disable_time" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "user"."password_reset" ADD CONSTRAINT "password_reset_account_id_account_id_fk" FOREIGN KEY ("account_id") REFERENCES "user"."account"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "password_reset_token" ON "user"."password_reset" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "password_reset_account" ON "user"."password_reset" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "password_reset_expire" ON "user"."password_reset" USING btree ("expire_time");--> statement-breakpoint
CREATE INDEX "session_ended" ON "user"."session" USING btree ("end_time","id") WHERE end_time is not null;--> statement-breakpoint
ALTER TABLE "user"."session" ADD CONSTRAINT "session_end" CHECK ((end_time is null) = (end_reason is null) and end_reason in ('LOGOUT', 'TOKEN_REUSED', 'LOGOUT_ALL', 'PASSWORD_CHANGED', 'DISABLED', 'ROLE_CHANGED'));