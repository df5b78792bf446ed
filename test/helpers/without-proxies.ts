// The proxy of a developer or of CI has no business between the servers of a test.
for (const scheme of ['http', 'https', 'all', 'no']) {
  for (const name of [`${scheme}_proxy`, `${scheme}_proxy`.toUpperCase()]) Reflect.deleteProperty(process.env, name);
}
