/**
 * Whether a text has the shape of a token rather than of the name of one. Names are those of variables and files: words, and
 * separators between them. In a file of its own, for workflows take nothing else of what cleans texts.
 */
export function hasTokenShape(text: string): boolean {
  return (
    /^(?:hf_(?:oauth_|jwt_)?[A-Za-z0-9]{20,}|api_org_|bearer\s|basic\s)/i.test(text) ||
    /eyJ[\w-]{8,}\.[\w-]+/.test(text) ||
    /^(?=.*\d)(?=.*[a-f])[0-9a-f]{32,}$/i.test(text) ||
    /^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9]{32,}$/.test(text)
  );
}
