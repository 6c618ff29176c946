CREATE TABLE "notification"."batch" (
	"id" uuid PRIMARY KEY NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "notification"."delivery" (
	"batch_id" uuid NOT NULL,
	"subscription" text NOT NULL,
	"topics" text[] NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"ask_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone,
	CONSTRAINT "delivery_batch_id_subscription_pk" PRIMARY KEY("batch_id","subscription")
);
--> statement-breakpoint
CREATE TABLE "notification"."idempotency" (
	"caller" text NOT NULL,
	"method" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"response" jsonb,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_caller_method_key_pk" PRIMARY KEY("caller","method","key")
);
--> statement-breakpoint
CREATE TABLE "notification"."inbox" (
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inbox_subscription_event_id_pk" PRIMARY KEY("subscription","event_id")
);
--> statement-breakpoint
CREATE TABLE "notification"."inbox_cursor" (
	"subscription" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	CONSTRAINT "inbox_cursor_subscription_subject_pk" PRIMARY KEY("subscription","subject")
);
--> statement-breakpoint
CREATE TABLE "notification"."inbox_pending" (
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"state" text NOT NULL,
	"topic" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	"envelope" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"outages" integer DEFAULT 0 NOT NULL,
	"next_time" timestamp with time zone DEFAULT now() NOT NULL,
	"last_error" text,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inbox_pending_subscription_event_id_pk" PRIMARY KEY("subscription","event_id")
);
--> statement-breakpoint
CREATE TABLE "notification"."lease" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"expire_time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "notification"."notification" (
	"id" uuid PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"order_id" uuid,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"recipient_name" text NOT NULL,
	"recipient_address" text NOT NULL,
	"subject" text NOT NULL,
	"text" text NOT NULL,
	"html" text NOT NULL,
	"message_id" text NOT NULL,
	"last_error" text DEFAULT '' NOT NULL,
	"delays" integer DEFAULT 0 NOT NULL,
	"resends" integer DEFAULT 0 NOT NULL,
	"held_until" timestamp with time zone NOT NULL,
	"create_time" timestamp with time zone NOT NULL,
	"send_time" timestamp with time zone,
	CONSTRAINT "notification_state" CHECK (state in ('QUEUED', 'SENT', 'FAILED'))
);
--> statement-breakpoint
CREATE TABLE "notification"."outbox" (
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
CREATE TABLE "notification"."registration" (
	"subscription" text PRIMARY KEY NOT NULL,
	"topics" text[] NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "notification"."delivery" ADD CONSTRAINT "delivery_batch_id_batch_id_fk" FOREIGN KEY ("batch_id") REFERENCES "notification"."batch"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "batch_unsettled" ON "notification"."batch" USING btree ("create_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "batch_settled" ON "notification"."batch" USING btree ("settle_time") WHERE settle_time is not null;--> statement-breakpoint
CREATE INDEX "delivery_unsettled" ON "notification"."delivery" USING btree ("ask_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "inbox_time" ON "notification"."inbox" USING btree ("time");--> statement-breakpoint
CREATE INDEX "inbox_pending_due" ON "notification"."inbox_pending" USING btree ("subscription","state","next_time");--> statement-breakpoint
CREATE INDEX "inbox_pending_subject" ON "notification"."inbox_pending" USING btree ("subscription","subject","version");--> statement-breakpoint
CREATE UNIQUE INDEX "notification_event" ON "notification"."notification" USING btree ("event_id");--> statement-breakpoint
CREATE INDEX "notification_user" ON "notification"."notification" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "notification_order" ON "notification"."notification" USING btree ("order_id","id");--> statement-breakpoint
CREATE INDEX "notification_queued" ON "notification"."notification" USING btree ("held_until") WHERE state = 'QUEUED';--> statement-breakpoint
CREATE INDEX "outbox_unsent" ON "notification"."outbox" USING btree ("id") WHERE batch_id is null;--> statement-breakpoint
CREATE INDEX "outbox_batch" ON "notification"."outbox" USING btree ("batch_id") WHERE batch_id is not null;