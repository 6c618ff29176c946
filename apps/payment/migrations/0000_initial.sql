CREATE TABLE "payment"."batch" (
	"id" uuid PRIMARY KEY NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "payment"."delivery" (
	"batch_id" uuid NOT NULL,
	"subscription" text NOT NULL,
	"topics" text[] NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"ask_time" timestamp with time zone DEFAULT now() NOT NULL,
	"settle_time" timestamp with time zone,
	CONSTRAINT "delivery_batch_id_subscription_pk" PRIMARY KEY("batch_id","subscription")
);
--> statement-breakpoint
CREATE TABLE "payment"."idempotency" (
	"caller" text NOT NULL,
	"method" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"response" jsonb,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_caller_method_key_pk" PRIMARY KEY("caller","method","key")
);
--> statement-breakpoint
CREATE TABLE "payment"."inbox" (
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inbox_subscription_event_id_pk" PRIMARY KEY("subscription","event_id")
);
--> statement-breakpoint
CREATE TABLE "payment"."inbox_cursor" (
	"subscription" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	CONSTRAINT "inbox_cursor_subscription_subject_pk" PRIMARY KEY("subscription","subject")
);
--> statement-breakpoint
CREATE TABLE "payment"."inbox_pending" (
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
CREATE TABLE "payment"."lease" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"expire_time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "payment"."outbox" (
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
CREATE TABLE "payment"."payment" (
	"id" uuid PRIMARY KEY NOT NULL,
	"version" integer NOT NULL,
	"order_id" uuid NOT NULL,
	"user_id" uuid,
	"status" text NOT NULL,
	"amount" bigint NOT NULL,
	"currency" text,
	"captured" bigint NOT NULL,
	"refunded" bigint NOT NULL,
	"payment_method" text,
	"decline_code" text,
	"operation" jsonb,
	"create_time" timestamp with time zone NOT NULL,
	"update_time" timestamp with time zone NOT NULL,
	CONSTRAINT "payment_money" CHECK (amount >= 0 and captured between 0 and amount and refunded between 0 and captured),
	CONSTRAINT "payment_status" CHECK (status in ('PENDING', 'AUTHORIZED', 'CAPTURED', 'VOIDED', 'REFUNDED', 'DECLINED'))
);
--> statement-breakpoint
CREATE TABLE "payment"."payment_event" (
	"subject_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"id" uuid NOT NULL,
	"type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"actor" text NOT NULL,
	"reason" text NOT NULL,
	"traceparent" text NOT NULL,
	"time" timestamp with time zone NOT NULL,
	CONSTRAINT "payment_event_subject_id_version_pk" PRIMARY KEY("subject_id","version")
);
--> statement-breakpoint
CREATE TABLE "payment"."registration" (
	"subscription" text PRIMARY KEY NOT NULL,
	"topics" text[] NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "payment"."delivery" ADD CONSTRAINT "delivery_batch_id_batch_id_fk" FOREIGN KEY ("batch_id") REFERENCES "payment"."batch"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "batch_unsettled" ON "payment"."batch" USING btree ("create_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "batch_settled" ON "payment"."batch" USING btree ("settle_time") WHERE settle_time is not null;--> statement-breakpoint
CREATE INDEX "delivery_unsettled" ON "payment"."delivery" USING btree ("ask_time") WHERE settle_time is null;--> statement-breakpoint
CREATE INDEX "inbox_time" ON "payment"."inbox" USING btree ("time");--> statement-breakpoint
CREATE INDEX "inbox_pending_due" ON "payment"."inbox_pending" USING btree ("subscription","state","next_time");--> statement-breakpoint
CREATE INDEX "inbox_pending_subject" ON "payment"."inbox_pending" USING btree ("subscription","subject","version");--> statement-breakpoint
CREATE INDEX "outbox_unsent" ON "payment"."outbox" USING btree ("id") WHERE batch_id is null;--> statement-breakpoint
CREATE INDEX "outbox_batch" ON "payment"."outbox" USING btree ("batch_id") WHERE batch_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "payment_order" ON "payment"."payment" USING btree ("order_id");--> statement-breakpoint
CREATE INDEX "payment_user" ON "payment"."payment" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "payment_in_flight" ON "payment"."payment" USING btree ("update_time") WHERE operation is not null;--> statement-breakpoint
CREATE INDEX "payment_operation_key" ON "payment"."payment" USING btree ((operation->>'key')) WHERE operation is not null;