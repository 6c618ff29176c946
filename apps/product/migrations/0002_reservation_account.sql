ALTER TABLE "product"."reservation" ADD COLUMN "user_id" uuid;--> statement-breakpoint
CREATE INDEX "reservation_held" ON "product"."reservation" USING btree ("user_id") WHERE state = 'RESERVED';