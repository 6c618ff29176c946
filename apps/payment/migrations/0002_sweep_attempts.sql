DROP INDEX "payment"."payment_in_flight";--> statement-breakpoint
ALTER TABLE "payment"."payment" ADD COLUMN "attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "payment"."payment" ADD COLUMN "attempt_version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "payment"."payment" ADD COLUMN "next_attempt_time" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
CREATE INDEX "payment_unfinished" ON "payment"."payment" USING btree ((case when attempt_version = version then next_attempt_time else update_time end),"id") WHERE operation is not null;