-- oldest-code: 7
DROP TABLE IF EXISTS "order"."inbox_cursor" CASCADE;