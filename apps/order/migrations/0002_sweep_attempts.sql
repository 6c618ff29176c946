DROP INDEX "order"."orders_moving";--> statement-breakpoint
ALTER TABLE "order"."orders" ADD COLUMN "attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "order"."orders" ADD COLUMN "attempt_version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "order"."orders" ADD COLUMN "next_attempt_time" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
CREATE INDEX "orders_stalled" ON "order"."orders" USING btree ((case when attempt_version = version then next_attempt_time else update_time end),"id") WHERE attention_reason is null and (status in ('PENDING', 'STOCK_RESERVED') or pending_action is not null);