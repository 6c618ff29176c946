-- oldest-code: 8
DROP TABLE IF EXISTS "payment"."inbox" CASCADE;--> statement-breakpoint
DROP TABLE IF EXISTS "payment"."inbox_cursor" CASCADE;--> statement-breakpoint
DROP TABLE IF EXISTS "payment"."inbox_pause" CASCADE;--> statement-breakpoint
DROP TABLE IF EXISTS "payment"."inbox_pending" CASCADE;