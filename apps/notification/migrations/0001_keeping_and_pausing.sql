CREATE TABLE "notification"."inbox_pause" (
	"subscription" text PRIMARY KEY NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "idempotency_time" ON "notification"."idempotency" USING btree ("create_time");--> statement-breakpoint
CREATE INDEX "notification_text_kept" ON "notification"."notification" USING btree ("create_time") WHERE html <> '';