CREATE TABLE "thing" (
	"id" uuid PRIMARY KEY,
	"version" integer NOT NULL,
	"status" smallint NOT NULL,
	"customer" text NOT NULL,
	"total" bigint NOT NULL CHECK ("total" >= 0),
	"items" jsonb NOT NULL,
	"time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "thing_event" (
	"subject_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"id" uuid NOT NULL,
	"type" text NOT NULL,
	"payload" jsonb NOT NULL,
	"actor" text NOT NULL,
	"reason" text NOT NULL,
	"traceparent" text NOT NULL,
	"time" timestamp with time zone NOT NULL,
	CONSTRAINT "thing_event_pk" PRIMARY KEY("subject_id","version")
);
--> statement-breakpoint
CREATE TABLE "idempotency" (
	"caller" text NOT NULL,
	"method" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"response" jsonb,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_caller_method_key_pk" PRIMARY KEY("caller","method","key")
);
--> statement-breakpoint
CREATE TABLE "lease" (
	"name" text PRIMARY KEY,
	"holder" text NOT NULL,
	"expire_time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" bigserial PRIMARY KEY,
	"event_id" uuid NOT NULL,
	"topic" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	"time" timestamp with time zone NOT NULL,
	"traceparent" text NOT NULL,
	"payload" jsonb NOT NULL,
	"batch_id" uuid
);
--> statement-breakpoint
CREATE TABLE "inbox" (
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inbox_subscription_event_id_pk" PRIMARY KEY("subscription","event_id")
);
