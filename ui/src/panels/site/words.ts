import type { Words } from '@/kit/words'
export default { latest: ['最新读数', 'Latest readings'], who: ['谁负责', 'Who answers for it'], open: ['看监测曲线', 'Open the curves'], noWho: ['未登记责任人', 'Nobody on record'], none: ['还没有读数', 'No readings yet'], decide: ['有待决断', 'To be decided'], old: ['旧值不参与研判', 'old values are not used'] } satisfies Words
