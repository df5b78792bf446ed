export * from 'temporal-model-prefetch/workflows';
