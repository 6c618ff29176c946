ALTER TABLE "payment"."payment" ADD COLUMN "attention_reason" text;--> statement-breakpoint
ALTER TABLE "payment"."payment" ADD COLUMN "attention_detail" text;--> statement-breakpoint
ALTER TABLE "payment"."payment" ADD COLUMN "attention_since" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "payment_attention" ON "payment"."payment" USING btree ("id") WHERE attention_reason is not null;--> statement-breakpoint
ALTER TABLE "payment"."payment" ADD CONSTRAINT "payment_attention_whole" CHECK (num_nulls(attention_reason, attention_detail, attention_since) in (0, 3) and attention_reason in ('REFUND_REFUSED'));