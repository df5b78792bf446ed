/**
 * The environment without TEMPORAL_ variables that are empty: templates leave those, and mean nothing by them. An empty
 * header (TEMPORAL_GRPC_META_…) does mean something: it takes that of the profile away.
 */
export function temporalEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value === undefined || (value === '' && isSetting(name)) ? [] : [[name, value]]
    )
  );
}

function isSetting(name: string): boolean {
  return name.startsWith('TEMPORAL_') && !name.startsWith('TEMPORAL_GRPC_META_');
}
