DROP INDEX IF EXISTS "order"."orders_attention_user";--> statement-breakpoint
DROP INDEX IF EXISTS "order"."orders_attention_status";--> statement-breakpoint
DROP INDEX IF EXISTS "order"."orders_attention_status_user";--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "orders_attention_of_user" ON "order"."orders" USING btree ("user_id","id") WHERE attention_detail is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "orders_attention_of_status" ON "order"."orders" USING btree ("status","id") WHERE attention_since is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "orders_attention_of_status_user" ON "order"."orders" USING btree ("status","user_id","id") WHERE num_nulls(attention_reason, attention_detail, attention_since) = 0;