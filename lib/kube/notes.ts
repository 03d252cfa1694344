/**
 * What this library notes of objects, those of other libraries among them. A note stands on its object. From a WeakMap, a note that
 * refers to its object, as most do, would hold it, and with it its whole app, until the next full collection of garbage: with
 * an app for each of many stacks, short collections would copy apps that are done.
 */
export class Notes<T> {
  private readonly key = Symbol('cdk8s-mlflow');

  public has(object: object): boolean {
    return this.key in object;
  }

  public get(object: object): T | undefined {
    return (object as { [key: symbol]: T | undefined })[this.key];
  }

  public set(object: object, note: T): void {
    Object.defineProperty(object, this.key, { value: note, configurable: true });
  }
}
