CREATE TABLE "payment"."inbox_pause" (
	"subscription" text PRIMARY KEY NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "idempotency_time" ON "payment"."idempotency" USING btree ("create_time");