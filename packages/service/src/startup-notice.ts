/** What a start has found or made of the admin's account, for the person who started it. */
export type Announcement =
  /** It was made. Without a password it has the one of the configuration, which the person has given themselves. */
  | { readonly kind: "admin-created"; readonly email: string; readonly password: string | undefined }
  /** It was there, and was left as it is. Whether it has the password of the configuration; undefined where that names none. */
  | { readonly kind: "admin-kept"; readonly email: string; readonly hasConfiguredPassword: boolean | undefined }
  /** A customer has the address, so none was made. */
  | { readonly kind: "admin-address-taken"; readonly email: string };

const wayToAnother = "to set another, ask for a mail by POST /api/auth/password-reset";

/** Says it on one line: whose account it is, and what is known of its password. */
export function announcementText(announcement: Announcement): string {
  const { email } = announcement;
  switch (announcement.kind) {
    case "admin-created":
      return announcement.password === undefined
        ? `${email}, password as in RIALTO_ADMIN_PASSWORD`
        : `${email}, password ${announcement.password} (shown only this once)`;
    case "admin-kept":
      if (announcement.hasConfiguredPassword === undefined)
        return `${email}, from an earlier start, with the password that it has had since (${wayToAnother})`;
      return announcement.hasConfiguredPassword
        ? `${email}, password as in RIALTO_ADMIN_PASSWORD`
        : `${email}, from an earlier start, keeps its own password, not the one in RIALTO_ADMIN_PASSWORD (${wayToAnother})`;
    case "admin-address-taken":
      return `none was made: ${email} belongs to a customer. Set RIALTO_ADMIN_EMAIL to another address`;
  }
}
