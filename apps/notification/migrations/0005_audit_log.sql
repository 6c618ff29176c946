CREATE TABLE "notification"."audit_entry" (
	"id" uuid PRIMARY KEY NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"method" text NOT NULL,
	"subject" text NOT NULL,
	"changes" jsonb NOT NULL,
	"request_id" text NOT NULL,
	"client_address" text
);
--> statement-breakpoint
CREATE INDEX "audit_entry_time" ON "notification"."audit_entry" USING btree ("time");--> statement-breakpoint
CREATE INDEX "audit_entry_actor" ON "notification"."audit_entry" USING btree ("actor","id");--> statement-breakpoint
CREATE INDEX "audit_entry_subject" ON "notification"."audit_entry" USING btree ("subject","id");--> statement-breakpoint
-- The only way by which anything in the audit log is changed. It runs with the rights of the schema's owner, and can do only this.
CREATE FUNCTION "notification"."sweep_audit"(kept_days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = "notification", pg_temp AS $$
DECLARE
  emptied integer;
  removed integer;
BEGIN
  IF kept_days IS NULL OR kept_days < 90 THEN
    RAISE EXCEPTION 'audit entries are kept for 90 days at the least' USING ERRCODE = '22023';
  END IF;
  UPDATE audit_entry SET client_address = NULL WHERE id IN (
    SELECT id FROM audit_entry WHERE client_address IS NOT NULL AND time < now() - interval '90 days' ORDER BY time LIMIT 1000);
  GET DIAGNOSTICS emptied = ROW_COUNT;
  DELETE FROM audit_entry WHERE id IN (
    SELECT id FROM audit_entry WHERE time < now() - make_interval(days => kept_days) ORDER BY time LIMIT 1000);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN emptied + removed;
END $$;--> statement-breakpoint
REVOKE ALL ON FUNCTION "notification"."sweep_audit"(integer) FROM PUBLIC;
