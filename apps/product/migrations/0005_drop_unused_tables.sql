-- oldest-code: 6
DROP TABLE "product"."batch" CASCADE;--> statement-breakpoint
DROP TABLE "product"."delivery" CASCADE;--> statement-breakpoint
DROP TABLE "product"."inbox" CASCADE;--> statement-breakpoint
DROP TABLE "product"."inbox_cursor" CASCADE;--> statement-breakpoint
DROP TABLE "product"."inbox_pause" CASCADE;--> statement-breakpoint
DROP TABLE "product"."inbox_pending" CASCADE;--> statement-breakpoint
DROP TABLE "product"."outbox" CASCADE;--> statement-breakpoint
DROP TABLE "product"."registration" CASCADE;