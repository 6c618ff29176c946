CREATE TABLE "product"."inbox_pause" (
	"subscription" text PRIMARY KEY NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "idempotency_time" ON "product"."idempotency" USING btree ("create_time");