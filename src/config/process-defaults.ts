/** Defaults for processes that are ours alone, such as the CLI; a library must not set them for its host. */
export function setProcessDefaults(environment: NodeJS.ProcessEnv = process.env): void {
  // The AWS SDK prints a notice about future Node versions on every start with Node 20; it would land in the progress.
  environment['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
}
