import { ApiObject } from 'cdk8s';
import { IConstruct } from 'constructs';

/**
 * Makes the Jobs hooks of Argo CD, which runs them at each sync. A Job of this library goes a minute after its end, so that the
 * next apply runs it again; to Argo CD an object that is gone is a difference, and with `selfHeal` it would make the Jobs anew
 * for ever.
 *
 * @see https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
 */
export class ArgoCdHooks {
  /**
   * Adds the annotations to each Job: call it last. One that is there already stays.
   *
   * @param scope the construct whose Jobs get them: an app, a chart, a stack
   */
  public static add(scope: IConstruct): void {
    for (const object of scope.node.findAll().filter((construct) => ApiObject.isApiObject(construct))) {
      const { annotations } = object.metadata.toJson() as { annotations?: { [name: string]: string } };
      if (object.kind !== 'Job' || annotations?.['argocd.argoproj.io/hook'] !== undefined) continue;
      object.metadata.addAnnotation('argocd.argoproj.io/hook', 'Sync');
      object.metadata.addAnnotation('argocd.argoproj.io/hook-delete-policy', 'BeforeHookCreation');
    }
  }
}
