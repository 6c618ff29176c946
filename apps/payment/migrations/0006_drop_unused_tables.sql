-- oldest-code: 7
DROP TABLE "payment"."inbox" CASCADE;--> statement-breakpoint
DROP TABLE "payment"."inbox_cursor" CASCADE;--> statement-breakpoint
DROP TABLE "payment"."inbox_pause" CASCADE;--> statement-breakpoint
DROP TABLE "payment"."inbox_pending" CASCADE;