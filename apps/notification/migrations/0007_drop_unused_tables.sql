-- oldest-code: 8
DROP TABLE "notification"."batch" CASCADE;--> statement-breakpoint
DROP TABLE "notification"."delivery" CASCADE;--> statement-breakpoint
DROP TABLE "notification"."inbox_cursor" CASCADE;--> statement-breakpoint
DROP TABLE "notification"."outbox" CASCADE;--> statement-breakpoint
DROP TABLE "notification"."registration" CASCADE;