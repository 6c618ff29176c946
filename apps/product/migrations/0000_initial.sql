CREATE TABLE "product"."adjustment" (
	"id" uuid PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"delta" integer NOT NULL,
	"reason" text NOT NULL,
	"actor" text NOT NULL,
	"time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "product"."batch" (
	"id" uuid PRIMARY KEY NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "product"."delivery" (
	"batch_id" uuid NOT NULL,
	"subscription" text NOT NULL,
	"topics" text[] NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"ask_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone,
	CONSTRAINT "delivery_batch_id_subscription_pk" PRIMARY KEY("batch_id","subscription")
);
--> statement-breakpoint
CREATE TABLE "product"."idempotency" (
	"caller" text NOT NULL,
	"method" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"response" jsonb,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_caller_method_key_pk" PRIMARY KEY("caller","method","key")
);
--> statement-breakpoint
CREATE TABLE "product"."inbox" (
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inbox_subscription_event_id_pk" PRIMARY KEY("subscription","event_id")
);
--> statement-breakpoint
CREATE TABLE "product"."inbox_cursor" (
	"subscription" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	CONSTRAINT "inbox_cursor_subscription_subject_pk" PRIMARY KEY("subscription","subject")
);
--> statement-breakpoint
CREATE TABLE "product"."inbox_pending" (
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
CREATE TABLE "product"."lease" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"expire_time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "product"."outbox" (
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
CREATE TABLE "product"."product" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"description" text NOT NULL,
	"category" text NOT NULL,
	"price" bigint NOT NULL,
	"currency" text NOT NULL,
	"active" boolean NOT NULL,
	"search_text" text NOT NULL,
	"create_time" timestamp with time zone NOT NULL,
	"update_time" timestamp with time zone NOT NULL,
	CONSTRAINT "product_price" CHECK (price > 0),
	CONSTRAINT "product_currency" CHECK (currency ~ '^[A-Z]{3}$')
);
--> statement-breakpoint
CREATE TABLE "product"."registration" (
	"subscription" text PRIMARY KEY NOT NULL,
	"topics" text[] NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "product"."reservation" (
	"order_id" uuid PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"items" jsonb NOT NULL,
	"refusal" jsonb,
	"update_time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "reservation_state" CHECK (state in ('RESERVED', 'RELEASED', 'COMMITTED', 'REFUSED')),
	CONSTRAINT "reservation_refusal" CHECK ((state = 'REFUSED') = (refusal is not null))
);
--> statement-breakpoint
CREATE TABLE "product"."stock" (
	"product_id" uuid PRIMARY KEY NOT NULL,
	"on_hand" integer NOT NULL,
	"reserved" integer NOT NULL,
	"received" bigint NOT NULL,
	"shipped" bigint NOT NULL,
	CONSTRAINT "stock_never_negative" CHECK (0 <= reserved and reserved <= on_hand),
	CONSTRAINT "stock_adds_up" CHECK (on_hand + shipped = received)
);
--> statement-breakpoint
ALTER TABLE "product"."adjustment" ADD CONSTRAINT "adjustment_product_id_product_id_fk" FOREIGN KEY ("product_id") REFERENCES "product"."product"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "product"."delivery" ADD CONSTRAINT "delivery_batch_id_batch_id_fk" FOREIGN KEY ("batch_id") REFERENCES "product"."batch"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "product"."stock" ADD CONSTRAINT "stock_product_id_product_id_fk" FOREIGN KEY ("product_id") REFERENCES "product"."product"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "adjustment_product" ON "product"."adjustment" USING btree ("product_id","id");--> statement-breakpoint
CREATE INDEX "batch_unsettled" ON "product"."batch" USING btree ("create_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "batch_settled" ON "product"."batch" USING btree ("settle_time") WHERE settle_time is not null;--> statement-breakpoint
CREATE INDEX "delivery_unsettled" ON "product"."delivery" USING btree ("ask_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "inbox_time" ON "product"."inbox" USING btree ("time");--> statement-breakpoint
CREATE INDEX "inbox_pending_due" ON "product"."inbox_pending" USING btree ("subscription","state","next_time");--> statement-breakpoint
CREATE INDEX "inbox_pending_subject" ON "product"."inbox_pending" USING btree ("subscription","subject","version");--> statement-breakpoint
CREATE INDEX "outbox_unsent" ON "product"."outbox" USING btree ("id") WHERE batch_id is null;--> statement-breakpoint
CREATE INDEX "outbox_batch" ON "product"."outbox" USING btree ("batch_id") WHERE batch_id is not null;--> statement-breakpoint
CREATE INDEX "product_active" ON "product"."product" USING btree ("id") WHERE active;--> statement-breakpoint
CREATE INDEX "product_category" ON "product"."product" USING btree ("category","id");