CREATE TABLE "shop"."batch" (
	"id" uuid PRIMARY KEY NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "shop"."delivery" (
	"batch_id" uuid NOT NULL,
	"subscription" text NOT NULL,
	"topics" text[] NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"ask_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone,
	CONSTRAINT "delivery_batch_id_subscription_pk" PRIMARY KEY("batch_id","subscription")
);
--> statement-breakpoint
CREATE TABLE "shop"."outbox" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"topic" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	"traceparent" text DEFAULT '' NOT NULL,
	"payload" jsonb NOT NULL,
	"batch_id" uuid
);
--> statement-breakpoint
CREATE TABLE "shop"."registration" (
	"subscription" text PRIMARY KEY NOT NULL,
	"topics" text[] NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "shop"."delivery" ADD CONSTRAINT "delivery_batch_id_batch_id_fk" FOREIGN KEY ("batch_id") REFERENCES "shop"."batch"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "batch_unsettled" ON "shop"."batch" USING btree ("create_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "batch_settled" ON "shop"."batch" USING btree ("settle_time") WHERE settle_time is not null;--> statement-breakpoint
CREATE INDEX "delivery_unsettled" ON "shop"."delivery" USING btree ("ask_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "outbox_unsent" ON "shop"."outbox" USING btree ("id") WHERE batch_id is null;--> statement-breakpoint
CREATE INDEX "outbox_batch" ON "shop"."outbox" USING btree ("batch_id") WHERE batch_id is not null;