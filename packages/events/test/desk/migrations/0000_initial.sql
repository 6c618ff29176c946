CREATE TABLE "desk"."effect" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "desk"."inbox" (
	"subscription" text NOT NULL,
	"event_id" uuid NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inbox_subscription_event_id_pk" PRIMARY KEY("subscription","event_id")
);
--> statement-breakpoint
CREATE TABLE "desk"."inbox_cursor" (
	"subscription" text NOT NULL,
	"subject" text NOT NULL,
	"version" integer NOT NULL,
	CONSTRAINT "inbox_cursor_subscription_subject_pk" PRIMARY KEY("subscription","subject")
);
--> statement-breakpoint
CREATE TABLE "desk"."inbox_pending" (
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
CREATE INDEX "inbox_time" ON "desk"."inbox" USING btree ("time");--> statement-breakpoint
CREATE INDEX "inbox_pending_due" ON "desk"."inbox_pending" USING btree ("subscription","state","next_time");--> statement-breakpoint
CREATE INDEX "inbox_pending_subject" ON "desk"."inbox_pending" USING btree ("subscription","subject","version");