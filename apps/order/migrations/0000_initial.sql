CREATE TABLE "order"."batch" (
	"id" uuid PRIMARY KEY NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "order"."delivery" (
	"batch_id" uuid NOT NULL,
	"subscription" text NOT NULL,
	"topics" text[] NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"ask_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone,
	CONSTRAINT "delivery_batch_id_subscription_pk" PRIMARY KEY("batch_id","subscription")
);
--> statement-breakpoint
CREATE TABLE "order"."idempotency" (
	"caller" text NOT NULL,
	"method" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"response" jsonb,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_caller_method_key_pk" PRIMARY KEY("caller","method","key")
);
--> statement-breakpoint
CREATE TABLE "order"."inbox" (
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inbox_subscription_event_id_pk" PRIMARY KEY("subscription","event_id")
);
--> statement-breakpoint
CREATE TABLE "order"."inbox_cursor" (
	"subscription" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	CONSTRAINT "inbox_cursor_subscription_subject_pk" PRIMARY KEY("subscription","subject")
);
--> statement-breakpoint
CREATE TABLE "order"."inbox_pending" (
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
CREATE TABLE "order"."lease" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"expire_time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "order"."order_event" (
	"subject_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"id" uuid NOT NULL,
	"type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"actor" text NOT NULL,
	"reason" text NOT NULL,
	"traceparent" text NOT NULL,
	"time" timestamp with time zone NOT NULL,
	CONSTRAINT "order_event_subject_id_version_pk" PRIMARY KEY("subject_id","version")
);
--> statement-breakpoint
CREATE TABLE "order"."orders" (
	"id" uuid PRIMARY KEY NOT NULL,
	"version" integer NOT NULL,
	"user_id" uuid NOT NULL,
	"status" text NOT NULL,
	"items" jsonb NOT NULL,
	"currency" text NOT NULL,
	"total" bigint NOT NULL,
	"captured" bigint NOT NULL,
	"refunded" bigint NOT NULL,
	"payment_method" text NOT NULL,
	"shipping_address" jsonb,
	"rejection_reason" text,
	"pending_action" text,
	"attention_reason" text,
	"attention_detail" text,
	"attention_since" timestamp with time zone,
	"create_time" timestamp with time zone NOT NULL,
	"update_time" timestamp with time zone NOT NULL,
	CONSTRAINT "orders_version" CHECK (version >= 1),
	CONSTRAINT "orders_status" CHECK (status in ('PENDING', 'STOCK_RESERVED', 'CONFIRMED', 'SHIPPED', 'DELIVERED', 'REJECTED', 'CANCELLED')),
	CONSTRAINT "orders_money" CHECK (total > 0 and 0 <= refunded and refunded <= captured and captured <= total),
	CONSTRAINT "orders_captured" CHECK (status not in ('SHIPPED', 'DELIVERED') or captured = total),
	CONSTRAINT "orders_rejection" CHECK ((status = 'REJECTED') = (rejection_reason is not null) and rejection_reason in ('OUT_OF_STOCK', 'PAYMENT_DECLINED')),
	CONSTRAINT "orders_pending" CHECK (pending_action is null or (pending_action = 'SHIP' and status = 'CONFIRMED') or (pending_action = 'CANCEL' and status in ('PENDING', 'STOCK_RESERVED', 'CONFIRMED'))),
	CONSTRAINT "orders_attention" CHECK (num_nulls(attention_reason, attention_detail, attention_since) in (0, 3) and attention_reason in ('CAPTURE_REFUSED', 'AUTHORIZATION_EXPIRED', 'STOCK_LOST', 'COMPENSATION_FAILED'))
);
--> statement-breakpoint
CREATE TABLE "order"."outbox" (
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
CREATE TABLE "order"."registration" (
	"subscription" text PRIMARY KEY NOT NULL,
	"topics" text[] NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "order"."delivery" ADD CONSTRAINT "delivery_batch_id_batch_id_fk" FOREIGN KEY ("batch_id") REFERENCES "order"."batch"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "batch_unsettled" ON "order"."batch" USING btree ("create_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "batch_settled" ON "order"."batch" USING btree ("settle_time") WHERE settle_time is not null;--> statement-breakpoint
CREATE INDEX "delivery_unsettled" ON "order"."delivery" USING btree ("ask_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "inbox_time" ON "order"."inbox" USING btree ("time");--> statement-breakpoint
CREATE INDEX "inbox_pending_due" ON "order"."inbox_pending" USING btree ("subscription","state","next_time");--> statement-breakpoint
CREATE INDEX "inbox_pending_subject" ON "order"."inbox_pending" USING btree ("subscription","subject","version");--> statement-breakpoint
CREATE INDEX "orders_user" ON "order"."orders" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "orders_status" ON "order"."orders" USING btree ("status","id");--> statement-breakpoint
CREATE INDEX "orders_moving" ON "order"."orders" USING btree ("update_time","id") WHERE attention_reason is null and (status in ('PENDING', 'STOCK_RESERVED') or pending_action is not null);--> statement-breakpoint
CREATE INDEX "outbox_unsent" ON "order"."outbox" USING btree ("id") WHERE batch_id is null;--> statement-breakpoint
CREATE INDEX "outbox_batch" ON "order"."outbox" USING btree ("batch_id") WHERE batch_id is not null;