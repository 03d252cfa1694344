import './common/peers';

export * from './artifact-store/artifact-store';
export * from './artifact-store/minio';
export * from './backend-store/backend-store';
export * from './backend-store/postgres';
export * from './credentials/credentials';
export * from './images';
export * from './mlflow-stack';
export * from './resources';
export * from './store-options';
export * from './tracking-server/artifact-transfer';
export * from './tracking-server/startup-script';
export * from './tracking-server/tracking-server';
