/** The first bytes of a file with this header, whatever it holds. */
export function headerOf(json: string | Uint8Array, declaredLength?: bigint): Uint8Array {
  const body = typeof json === 'string' ? new TextEncoder().encode(json) : json;
  const bytes = new Uint8Array(8 + body.length);
  new DataView(bytes.buffer).setBigUint64(0, declaredLength ?? BigInt(body.length), true);
  bytes.set(body, 8);
  return bytes;
}

/** The JSON of a header with one tensor called "a" of 4 bytes; a change replaces the text of a field. */
export function oneTensor(change: { dtype?: string; shape?: string; offsets?: string; more?: string } = {}): string {
  const { dtype = '"F32"', shape = '[1]', offsets = '[0,4]', more = '' } = change;
  return `{"a":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}${more}}}`;
}
