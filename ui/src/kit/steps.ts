/** The six steps of a hazard's life. */
export const HAZARD_STEPS = ['found', 'graded', 'ordered', 'rectifying', 'rechecking', 'cancelled'] as const
export type HazardStep = (typeof HAZARD_STEPS)[number]
export const stepIndex = (state: string): number => Math.max(0, HAZARD_STEPS.indexOf(state as HazardStep))
