export const more = () => null
