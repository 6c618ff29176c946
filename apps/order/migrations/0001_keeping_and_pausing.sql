CREATE TABLE "order"."inbox_pause" (
	"subscription" text PRIMARY KEY NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "idempotency_time" ON "order"."idempotency" USING btree ("create_time");--> statement-breakpoint
CREATE INDEX "orders_attention" ON "order"."orders" USING btree ("id") WHERE attention_reason is not null;