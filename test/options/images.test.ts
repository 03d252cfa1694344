import { Images } from '../../lib';

test.each(Object.entries(Images))('%s names registry, repository and a version', (_, image: string) => {
  expect(image).toMatch(/^[a-z]+(\.[a-z]+)+\/[a-z0-9-]+\/[a-z0-9-]+:[\w.-]*\d[\w.-]*$/);
});

test('the images of the stack', () => {
  expect(Object.keys(Images)).toEqual(['MLFLOW', 'POSTGRES', 'CLOUD_NATIVE_PG', 'MINIO', 'OAUTH2_PROXY', 'NGINX']);
});

test('MLflow comes with the drivers', () => {
  expect(Images.MLFLOW).toMatch(/-full$/);
});
