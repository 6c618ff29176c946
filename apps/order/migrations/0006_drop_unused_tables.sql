-- oldest-code: 7
DROP TABLE "order"."inbox_cursor" CASCADE;