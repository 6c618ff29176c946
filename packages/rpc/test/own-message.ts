import { create, createFileRegistry, type DescMessage, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  type FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import {
  FieldRulesSchema,
  field as fieldRules,
  file_buf_validate_validate,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

export type Rules = MessageInitShape<typeof FieldRulesSchema>;

export interface OwnField {
  readonly type: keyof typeof Type;
  readonly typeName?: string;
  readonly isList?: boolean;
  readonly isOptional?: boolean;
  readonly rules?: Rules;
}

/** The message `test.Own` of a contract that is not Rialto's, with fields that have rules. */
export function ownMessage(fields: Readonly<Record<string, OwnField>>): DescMessage {
  const entries = Object.entries(fields);
  const optional = entries.filter(([, { isOptional }]) => isOptional).map(([name]) => name);
  const file = create(FileDescriptorProtoSchema, {
    name: "test/own.proto",
    package: "test",
    syntax: "proto3",
    dependency: [file_google_protobuf_timestamp.proto.name, file_buf_validate_validate.proto.name],
    messageType: [
      {
        name: "Own",
        field: entries.map(([name, field], index) => ownField(name, field, index + 1, optional.indexOf(name))),
        oneofDecl: optional.map((name) => ({ name: `_${name}` })),
      },
    ],
    enumType: [{ name: "Color", value: [0, 1, 5].map((number) => ({ name: `COLOR_${number}`, number })) }],
  });
  const known = [file_google_protobuf_timestamp, file_buf_validate_validate];
  const registry = createFileRegistry(file, (name) => known.find(({ proto }) => proto.name === name));
  const message = registry.getMessage("test.Own");
  if (message === undefined) throw new Error("no message");
  return message;
}

function ownField(name: string, field: OwnField, number: number, oneofIndex: number) {
  const options = create(FieldOptionsSchema);
  setExtension(options, fieldRules, create(FieldRulesSchema, field.rules));
  const type: FieldDescriptorProto_Type = Type[field.type];
  return create(FieldDescriptorProtoSchema, {
    ...{ name, number, type, jsonName: name, options },
    label: field.isList === true ? FieldDescriptorProto_Label.REPEATED : FieldDescriptorProto_Label.OPTIONAL,
    ...(field.typeName !== undefined && { typeName: field.typeName }),
    ...(oneofIndex >= 0 && { proto3Optional: true, oneofIndex }),
  });
}
