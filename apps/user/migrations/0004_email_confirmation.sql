CREATE TABLE "user"."email_confirmation" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"email" text NOT NULL,
	"previous_email" text,
	"token_hash" "bytea",
	"create_time" timestamp with time zone NOT NULL,
	"expire_time" timestamp with time zone NOT NULL,
	"use_time" timestamp with time zone
);
--> statement-breakpoint
-- Accounts that exist count as confirmed. The default is for their rows alone, and rewrites none of them.
ALTER TABLE "user"."account" ADD COLUMN "email_confirm_time" timestamp with time zone DEFAULT now();--> statement-breakpoint
ALTER TABLE "user"."account" ALTER COLUMN "email_confirm_time" DROP DEFAULT;--> statement-breakpoint
ALTER TABLE "user"."account" ADD COLUMN "pending_email" text;--> statement-breakpoint
ALTER TABLE "user"."email_confirmation" ADD CONSTRAINT "email_confirmation_account_id_account_id_fk" FOREIGN KEY ("account_id") REFERENCES "user"."account"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "email_confirmation_token" ON "user"."email_confirmation" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "email_confirmation_account" ON "user"."email_confirmation" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "email_confirmation_expire" ON "user"."email_confirmation" USING btree ("expire_time");--> statement-breakpoint
CREATE INDEX "account_pending_email" ON "user"."account" USING btree (lower(pending_email)) WHERE pending_email is not null;